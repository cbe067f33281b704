"""Threads and runs: conversations and scans, one active run each, resumable after any crash."""
