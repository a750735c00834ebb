"""Training on mmengine. The only folder that knows mmengine (``vadkit.registry`` excepted).

mmengine 0.10.7 gives the runner, the hooks, the optimiser wrapper, the scheduler base, the moving
average and the TensorBoard backend. Everything in it that breaks on a current torch, or writes where
nobody asked, is mended in one of these files, and ``tests/engine`` runs each mend:

==================  ==========================================================================
adapter             the graph as mmengine's BaseModel
runner              the Runner without folders, loggers, global names and probing of the machine
loop                one step = one optimiser update; batches are asked for by number
precision           autocast on any device, gradient scaling, clipping without global logs
optimizers          parameter groups by node name
schedules           the learning rate as a function of the step
checkpoints, tree   atomic checkpoints: safetensors and JSON, no pickle
snapshot, keeper    what a checkpoint holds, and when one is written
random_state        seeds, and random state that survives a resume
records             the log: JSON lines, TensorBoard, losses that are not finite
selection           which weights are kept: last, val or test_best
warm_start          weights taken over from a model file by node name
distributed         torchrun, gloo and nccl, slices of the global batch
interrupt           Ctrl-C and SIGTERM end a run between two steps
progress            what a run tells while it goes on
session             one training, put together from the above
folder, fingerprint who may use a run's folder, and what may change when it goes on
results             the model file and result.json
fit, train          the two ways in: in memory, and into a folder
==================  ==========================================================================
"""

from vadkit.opencv import optional_opencv

with optional_opencv():  # mmengine's visualiser, which is never used here, imports it
    import mmengine.hooks
    import mmengine.runner  # noqa: F401
