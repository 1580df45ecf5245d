"""The doctor: every prerequisite, what was found, and how to mend it.

Inspectors (`…_inspector.py`) gather facts and judge nothing; checks (`…_checks.py`) are pure: facts in, checks out.
One cause gives one finding: what cannot be looked at because of it is *not checked* and says why.
"""
