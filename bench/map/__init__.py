"""The console's map in a real Chromium, fed by a light server: how evenly it is drawn, beside other ways to draw it."""
