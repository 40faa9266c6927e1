"""Building a kit, on a developer's machine: what is gathered, made and signed before it goes on a stick.

The network is used here and nowhere else, by pip in a process of its own and with the developer's own settings for
it. What was fetched or built once stays in the cache, and a kit can then be built without a network.
"""
