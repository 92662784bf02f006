"""The Glow of `normflows` (PyTorch), built as its own example builds it, at the same width."""

import normflows
import torch

from benchmarks.work import EMA_DECAY, LEARNING_RATE, TEMPERATURE


class NormflowsGlow:
    """normflows' Glow with its defaults, its fastest: LU weights, no actnorm in the networks, no edge markers."""

    def __init__(self, work):
        self.versions = {"torch": torch.__version__, "normflows": normflows.__version__}
        torch.manual_seed(0)
        base, flows, merges = [], [], []
        for i in range(work.levels):
            coarse, channels = work.levels - i, 3 * 2 ** (work.levels + 1 - i)
            blocks = [normflows.flows.GlowBlock(channels, work.width) for _ in range(work.depth)]
            flows.append([*blocks, normflows.flows.Squeeze()])
            if i:
                merges.append(normflows.flows.Merge())
            latent = (3 * 2**coarse if i else 3 * 2 ** (coarse + 1), work.size // 2**coarse, work.size // 2**coarse)
            base.append(normflows.distributions.DiagGaussian(latent))
        self.model = normflows.MultiscaleFlow(base, flows, merges, class_cond=False)
        self.images = torch.rand(work.batch, 3, work.size, work.size) - 0.5
        self.model.forward_kld(self.images)  # initializes its actnorms

        def log_prob():
            with torch.no_grad():
                return self.model.log_prob(self.images, None).float().cpu().numpy()

        def sample():
            with torch.no_grad():
                return self.model.sample(work.batch, temperature=TEMPERATURE)[0].float().cpu().numpy()

        self.tasks = {
            "train": self._make_training(ema=False),
            "train_average": self._make_training(ema=True),
            "log_prob": log_prob,
            "sample": sample,
        }

    def _make_training(self, ema):
        optimizer = torch.optim.Adamax(self.model.parameters(), lr=LEARNING_RATE)
        averaged = None
        if ema:
            average = torch.optim.swa_utils.get_ema_multi_avg_fn(EMA_DECAY)
            averaged = torch.optim.swa_utils.AveragedModel(self.model, multi_avg_fn=average)

        def step():
            loss = self.model.forward_kld(self.images)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if averaged is not None:
                averaged.update_parameters(self.model)
            return loss.item()

        return step
