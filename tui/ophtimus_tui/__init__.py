"""The terminal app of Ophtimus Edge."""

import os

# With the Kitty keyboard protocol some terminals lose composed Korean syllables; Textual reads this
# when it is first imported, which is after this package is.
os.environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")
