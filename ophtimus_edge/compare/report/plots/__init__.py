"""Plots as inline SVG: axes, marks that differ in shape as well as in colour, labels, and a text alternative.

They are drawn here, with no library: a plotting library would be the largest dependency of the runtime, for five
pictures of a few dozen marks. Colours are classes of the page's style, so that they follow light, dark and paper.
"""
