"""Scores of enhanced speech, and how they are shown.

- ``metrics``: the table of metrics, and several of one pair
- ``unscorable``: why a pair has no score
- ``pesq_scores``: PESQ
- ``intelligibility``: STOI and ESTOI
- ``distortion``: SI-SDR and segmental SNR
- ``likelihood_ratio``: LLR, of spectral envelopes
- ``spectral_slope``: WSS, of critical bands
- ``composite``: CSIG, CBAK and COVL, made of the others
- ``dnsmos``: DNSMOS P.835 and P.808, which need no clean wave
- ``log_mel``: what P.808 hears
- ``distill_mos``: Distill-MOS, which needs none either
- ``word_errors``: word error rates, of files with transcripts
- ``recognisers``: who listens
- ``frames``: what segmental SNR, LLR and WSS are computed of
- ``score_pool``: pairs scored by worker processes
- ``file_scores``: the files of a whole validation or test
- ``enhanced_files``: the enhanced files themselves, on request
- ``reports``: log, table and file of scores
"""
