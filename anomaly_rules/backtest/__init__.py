"""Backtests: a rule over any series, exactly as it would have run, against what is known to have been wrong."""
