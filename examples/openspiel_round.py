"""One round of a game in OpenSpiel: participants play each other under a fixed mechanism.

pip install open_spiel
python examples/openspiel_round.py

The round becomes a tensor game, which OpenSpiel's algorithms take: here counterfactual regret minimisation.
"""

from __future__ import annotations

import argparse

import pyspiel
from open_spiel.python.algorithms import cfr, exploitability

import lawgiver
from lawgiver.envs.solvers.equilibrium.normal_form import RoundForm, normal_form


def tensor_game(name: str, form: RoundForm) -> pyspiel.TensorGame:
    """Return a round as a game of OpenSpiel, with its actions' names."""
    actions = [[str(action) for action in of_one] for of_one in form.actions]
    return pyspiel.create_tensor_game(name, name, actions, form.payoffs.reshape(len(actions), -1).tolist())


def main(mechanism: str, iterations: int) -> float:
    """Solve a round of public investment, print what everybody contributes, and return the sum of all regrets."""
    form = normal_form(lawgiver.make_game("public_investment", endowments=(4, 2, 2)), mechanism)
    game = pyspiel.convert_to_turn_based(tensor_game("public_investment", form))
    solver = cfr.CFRPlusSolver(game)
    for _ in range(iterations):
        solver.evaluate_and_update_policy()
    average = solver.average_policy()
    regret = float(exploitability.nash_conv(game, average))
    state = game.new_initial_state()
    for seat, actions in enumerate(form.actions):
        probabilities = average.action_probabilities(state)
        mean = sum(p * actions[choice] for choice, p in probabilities.items())
        print(f"participant {seat}: contributes {mean:.2f} of {actions[-1]}")
        state.apply_action(max(probabilities, key=lambda choice: probabilities[choice]))
    print(f"sum of regrets: {regret:.2g} points")
    return regret


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mechanism", default="libertarian")
    parser.add_argument("--iterations", type=int, default=100)
    arguments = parser.parse_args()
    main(arguments.mechanism, arguments.iterations)
