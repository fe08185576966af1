"""Ground floor: knows nothing of speech, imports nothing of ours.

- ``checks``: of arguments that a yaml gives
- ``devices``: those that PyTorch computes on
- ``distributed``: what the processes of a run tell each other
- ``extras``: packages that only some need, imported where they are used
- ``folder_lock``: a folder that one run at a time may write to
- ``interrupts``: Ctrl-C that ends a command at once
- ``messages``: errors in words
- ``mistakes``: users' mistakes in one line; a bug keeps its traceback
- ``progress``: how far a long loop is, on a terminal or in a log file
- ``seeding``: random numbers of a place in the run, not of its history
- ``settings``: HyperPyYAML read as text, nothing constructed
- ``whole_files``: files that are never half-written
- ``workers``: worker processes, and how they end
"""
