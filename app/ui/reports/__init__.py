"""Reports for print, and the backtest."""
