"""AudioCLIP: pictures, sound and text in one space (Guzhov, Raue, Hees and Dengel, 2021)."""
