"""The judge: scenarios played on the real service with scripted people, graded by what the ledger says."""
