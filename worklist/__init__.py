"""Door two: DICOM. Imports ris, never hl7."""
