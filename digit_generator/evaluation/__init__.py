"""The ruler: how good are generated digits? Real and generated pixels in, numbers out.

    python -m digit_generator.evaluation generator.pth --data-dir mnist --out card

In the order to read: `protocol` (every sample size, split, network and seed); one measure per file
(`asked_for`, `broken_shapes`, `frechet`, `kernel`, `neighbours`, `train_on_generated`, `two_sample`,
`copying`, `diversity`); the networks that they need (`classifier`, `judges`, `ocr`, `features`); `ruler`
(which measure looks at which images); `report` (from a file to a card); `card` (from a card to words);
`publish` (the repository's card).
Commands of their own: `by_eye` (what a person sees), `greys` (what gives generated digits away), `style` (the
style controls) and `choice` (learns which z are refused).

The only part of the package that needs PyTorch; nothing else of the package imports it.
"""
