"""What a patient gets on paper, as PDF: the appointment letter, labels, the wristband."""
