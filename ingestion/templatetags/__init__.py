"""What the templates of the pages need beyond Django's own tags and filters.

May use: nothing.
Entry points: page_words.
"""
