"""A seeded simulator of everything between decision and close: one seed is one schedule, fault by fault.

The rules are the product's own (authorisation, signatures, the saga, the conversation
with the ERP, reconciliation); what is made up is the world around them: a clock, a
store whose transactions are whole or not at all, a network that loses, delays and
repeats, an ERP with hands of its own, and people who do not wait for each other.
"""
