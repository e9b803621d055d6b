"""What one does with a trained generator: pictures, films and projections."""
