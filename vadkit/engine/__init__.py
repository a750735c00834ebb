"""Training on mmengine. The only folder that imports mmengine (``vadkit.registry`` excepted).

mmengine gives the runner, the hooks, the optimizer wrapper, the scheduler base and the moving average.
Whatever in it fails on a current torch, or writes where it was not asked to, is replaced in one of these files, and
``tests/engine`` tests each replacement:

============================  ================================================================
adapter                       the graph as mmengine's BaseModel
runner                        the Runner without folders, loggers, global names and machine probing
loop                          one step = one optimizer update; batches are requested by number
precision                     autocast on any device, gradient scaling, clipping without global logs
numerics                      deterministic algorithms, exact float32 or TF32; undone after the run
optimizers                    parameter groups by node name
schedules                     the learning rate as a function of the step
checkpoints, tensor_tree      atomic checkpoints: safetensors and JSON, no pickle
blend                         weights of a node that follow another's
run_state, checkpoint_hook    what a checkpoint contains, and when one is written
random_state                  seeds, and random state that survives a resume
run_log                       the log: JSON lines, losses that are not finite
loggers                       the loggers of ``train.log``, which write besides it
selection                     which weights are kept: last, val or test_best
warm_start                    initial weights from a model file, by node name
distributed                   torchrun, gloo and nccl, slices of the global batch
progress                      what a run reports while it trains
session                       one training run, assembled from the above
run_folder, fingerprint       who may use a run's folder, and what may change on resume
results                       the model file and result.json
unfinished, saved_about       the model of a run that has not finished, from its newest checkpoint
train                         the way in: ``vadkit train``
============================  ================================================================
"""

from vadkit.opencv import optional_opencv

with optional_opencv():  # mmengine's visualiser, which is never used here, imports it
    import mmengine.hooks
    import mmengine.runner  # noqa: F401
