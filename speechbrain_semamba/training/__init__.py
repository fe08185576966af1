"""What a run of training needs beside SpeechBrain's Brain."""
