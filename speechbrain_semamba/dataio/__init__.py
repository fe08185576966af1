"""Files on one side, pairs of waves on the other.

- ``audio_formats``: endings, formats and encodings of audio files
- ``audio_folders``: the audio files of a folder
- ``audio_source``: an audio file to read, as a stream
- ``audio_sink``: an audio file to write, from a stream
- ``peak_scaling``: a stream scaled to a peak of 1, which only its end tells
- ``audio_files``: whole audio files in and out
- ``audio_headers``: what many files are like; what is wrong with them
- ``pairs``: folders of clean and noisy files -> checked pairs of files
- ``resampled_files``: resampled copies of files, in parallel
- ``manifests``: split by seed, resample, write manifests
- ``prepare_record``: what a preparation did, so that it is not done in vain
- ``recorded_pairs``: pairs of waves, from pairs of files
- ``transcripts``: what is said in the files
- ``variation``: one recording as many: voices, microphones, rooms
- ``mixing``: pairs of waves, of speech, noise and rooms mixed anew
- ``pair_reader``: datasets of pairs, and what they call for each item
"""
