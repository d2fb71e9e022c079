"""The networks that the ruler looks through: classifiers, judges, OCR, features from any ONNX file."""
