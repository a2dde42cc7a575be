"""What all pages share: their frame, lists from URLs, the load strip, numbers as people read them."""
