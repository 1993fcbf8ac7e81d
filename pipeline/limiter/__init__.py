"""A limit of calls in a window, kept without knowing how the server cuts its windows.

`state` is what is remembered, `limiter` what follows from it, `journal` what of it outlives the process.
"""
