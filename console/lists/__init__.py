"""What lists share: exports of what their URLs ask for, and actions on many things at once."""
