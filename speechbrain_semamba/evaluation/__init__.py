"""Scores of enhanced speech, and how they are shown.

- ``metrics``: the table of metrics, and several of one pair
- ``unscorable``: why a pair has no score
- ``pesq_scores``: PESQ
- ``intelligibility``: STOI and ESTOI
- ``distortion``: SNR, segmental SNR and SI-SDR
- ``likelihood_ratio``: LLR, of spectral envelopes
- ``spectral_slope``: WSS, of critical bands
- ``composite``: CSIG, CBAK and COVL, made of the others
- ``frames``: what segmental SNR, LLR and WSS are computed of
- ``score_pool``: pairs scored by worker processes
- ``file_scores``: the files of a whole validation or test
- ``enhanced_files``: the enhanced files themselves, on request
- ``pairing``: files of several folders put together by name
- ``aligned_files``: they are read, of one rate and one length
- ``folder_scores``: they are scored, and what was wrong with them
- ``tables``: intervals, differences, buckets of SNR
- ``summary``, ``summary_text``: what is said of scores, in numbers, in words
- ``reports``: log, summary and file of scores
- ``figures``: waveforms and spectrograms, side by side
- ``charts``: histograms and scatter plots of scores
- ``html_report``: a page to look at and listen to
- ``page``: its template, style and script
- ``folder_report``: what ``semamba evaluate`` says and writes
"""
