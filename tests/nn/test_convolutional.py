"""Convolutional networks: sizes that halve and come back, conditions as channels, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphvae._check import InputError
from graphvae.nn.convolutional import ConvNetwork


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 13),
    st.integers(1, 13),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.sampled_from([0, 2]),
)
def test_every_size_comes_back(channels, height, width, layers, classes):
    network, shape = ConvNetwork(layers), (channels, height, width)
    condition = torch.eye(2)[torch.tensor([0, 1, 1])] if classes else None
    body = network.encoder(shape, (5,), classes, 7)
    assert body(torch.rand(3, channels * height * width), condition).shape == (3, 7)
    out = network.decoder(4, (5,), classes, shape)(torch.randn(6, 3, 4), condition)
    assert out.shape == (6, 3, channels * height * width)


def test_the_encoder_convolves_the_image_it_was_given():
    body = ConvNetwork((3,)).encoder((2, 5, 4), (), 0, 6)
    x = torch.rand(2, 40)
    convolution, dense = body.convolutions[0], body.dense[0]
    assert (convolution.kernel_size, convolution.stride) == ((3, 3), (2, 2))
    expected = dense(convolution(x.view(2, 2, 5, 4)).relu().flatten(1))
    torch.testing.assert_close(body(x), expected)


def test_a_class_is_a_channel_of_constants():
    body = ConvNetwork((3,)).encoder((1, 4, 4), (), 2, 5)
    x = torch.rand(1, 16)
    image = torch.stack([x.view(4, 4), torch.zeros(4, 4), torch.ones(4, 4)])[None]
    torch.testing.assert_close(body(x, torch.tensor([[0.0, 1.0]])), body.dense(body.convolutions(image).flatten(1)))
    # All classes of all data at once, as a model that sums classes out asks for.
    both = body(x.expand(3, 16), torch.eye(2)[:, None])
    assert both.shape == (2, 3, 5)
    torch.testing.assert_close(both[1, 0], body(x, torch.tensor([[0.0, 1.0]]))[0])


def test_dense_layers_come_after_the_convolutions_and_before_them_on_the_way_up():
    network = ConvNetwork((3, 4), "tanh")
    encoder, decoder = network.encoder((1, 8, 8), (9, 5), 0, 2), network.decoder(2, (9, 5), 0, (1, 8, 8))
    assert [layer.out_features for layer in encoder.dense if hasattr(layer, "out_features")] == [9, 5, 2]
    assert [layer.out_features for layer in decoder.dense if hasattr(layer, "out_features")] == [5, 9, 16]
    assert [layer.out_channels for layer in decoder.convolutions if hasattr(layer, "out_channels")] == [3, 1]
    assert sum(isinstance(layer, torch.nn.Tanh) for layer in decoder.modules()) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 3}, "channels=3: expected a sequence"),
        ({"channels": ()}, "channels=\\(\\)"),
        ({"channels": (0,)}, "channels=0"),
        ({"activation": "ReLU"}, "activation='ReLU'"),
    ],
)
def test_bad_settings_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        ConvNetwork(**arguments)


def test_vectors_are_refused():
    with pytest.raises(InputError, match=r"X holds vectors of 64 values; expected images \(N, C, H, W\)"):
        ConvNetwork().encoder((64,), (), 0, 2)
