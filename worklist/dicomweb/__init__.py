"""The door over HTTP: worklist and performed steps as DICOMweb (PS3.18 chapters 14 and 15), by the same engines."""
