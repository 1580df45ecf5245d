"""A stand-in for the shared Azure AD B2C directory, as Microsoft Graph shows it. Nothing here is deployed.

It keeps: the users endpoints of Graph v1.0 (create, read, list, filter, page, change, delete), the recycle
bin, ``$batch``, the documented limits and refusals of a B2C tenant, Graph's error shapes, its throttling, and
the disorder of a real directory (late visibility, answers lost after the write, storms of 429). Whatever the
documentation leaves open is a switch in ``rules.py`` with the reason beside it.

It does not: sign anybody in, send anything, keep a password (only its length), sort or search lists, expand
navigation properties, know groups, applications or administrators, forget deleted users after 30 days, or
check whose token it is given. It listens on the loopback address only and is meant for invented people.

It imports nothing of the migration itself, so that a misunderstanding there is not repeated here.
"""
