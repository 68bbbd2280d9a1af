"""Methods that climb a bidder's payoff against the bids of the others as they are.

``smoothed`` and ``sorted`` find the slope of the payoff in the own bid and pass it on to the weights. A bid that is a
little higher changes nothing in most games and everything in a few, so that the slope in a game says nothing: payoffs
are averaged over a window of own bids. ``smoothed`` does so in each game as it is drawn, by the game's own rule, which
may be any; ``sorted`` lets each own bid meet all rivals that are drawn, which needs independent private values and one
winner. ``evolution`` perturbs the weights themselves and looks at payoffs alone.
"""
