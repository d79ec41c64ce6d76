"""An example of a mediaflow plugin."""
