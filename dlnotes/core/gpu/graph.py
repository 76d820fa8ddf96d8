"""A CUDA graph of a function: its kernels are launched as one, which saves the time between them."""

import torch


class Graphed:
    """A function recorded once for tensors of one shape, and replayed on others.

    Each call copies its arguments to buffers, and returns the same tensors, overwritten: copy what is to be kept. On
    the CPU there is no graph: the function itself runs, on the same buffers.
    """

    @torch.no_grad()
    def __init__(self, function, **inputs):
        self._names, self._buffers = tuple(inputs), tuple(a.detach().clone() for a in inputs.values())
        self._function, self._graph = function, None
        device = self._buffers[0].device
        if device.type != "cuda":
            return
        with torch.cuda.device(device):
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):  # kernels are compiled and libraries loaded before the recording
                    function(*self._buffers)
            torch.cuda.current_stream().wait_stream(side)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=side):  # torch's own stream is of the GPU that had a graph first
                self._outputs = function(*self._buffers)

    @torch.no_grad()
    def __call__(self, *inputs):
        """Return what the function returns for these inputs.

        Raises:
            ValueError: they are not as many as recorded, or one differs in shape, dtype or device.
        """
        if len(inputs) != len(self._names):
            raise ValueError(f"inputs are {len(inputs)}; expected {len(self._names)}: {', '.join(self._names)}")
        for name, buffer, a in zip(self._names, self._buffers, inputs, strict=True):
            if not isinstance(a, torch.Tensor):
                raise ValueError(f"{name} is of type {type(a).__name__}; expected a torch tensor")
            given, recorded = ((tuple(t.shape), t.dtype, t.device) for t in (a, buffer))
            if given != recorded:
                raise ValueError(f"{name} is {given}; expected {recorded}, as recorded")
        for buffer, a in zip(self._buffers, inputs, strict=True):
            buffer.copy_(a)
        if self._graph is None:
            return self._function(*self._buffers)
        self._graph.replay()
        return self._outputs
