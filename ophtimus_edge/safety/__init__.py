"""Lines that the app shows beside a question or an answer, never inside it.

``emergencies`` says of a question that it may describe an emergency, ``figures`` lists the doses and
numbers of an answer that a person must check, ``identifiers`` points out what names a patient before
a question is sent. All three read plain text and ask no model.
"""
