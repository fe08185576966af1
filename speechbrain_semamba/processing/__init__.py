"""Signals: lengths, spectra and the PCS post-filter."""
