"""Other libraries' names for what Salience does, so that a script changes by its import line.

    salience.adapters.captum             in place of captum.attr
    salience.adapters.pytorch_grad_cam   in place of pytorch_grad_cam

Where those take a PyTorch module, these take a salience.Model (or the path of an ONNX file), and layers are named by
the values or nodes of the file. PyTorch tensors come back for PyTorch tensors, NumPy arrays for NumPy arrays."""
