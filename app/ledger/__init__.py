"""The ledger: append-only events in hash-chained streams, the stock moves they carry, and the balances that follow."""
