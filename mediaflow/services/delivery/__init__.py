"""The way out: links to streams, and the bytes behind them."""
