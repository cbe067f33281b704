"""Events out and signals in: CloudEvents over Redis streams and signed webhooks, in the order of the ledger."""
