"""A stand-in for GOV.UK Notify: its API version 2 for e-mail, an outbox to read, and faults on order.

Nothing is sent to anybody. It keeps the documented rules that a sender must survive: sending is not
idempotent, tokens expire after 30 seconds, a burst is limited, an address may fail later. It imports
nothing of the app.
"""
