"""Commands of the HL7 door."""
