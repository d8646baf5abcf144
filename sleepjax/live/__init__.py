"""Live detection: samples as they come, probabilities, events and sleep windows as they are known.

`arrivals` checks what comes in, `rows` is what is kept of a recording that has no end, `track`
predicts its windows as they are complete, `settled` says which events and sleep windows no later
sample changes, `update` is what one push found, `saved` turns the state into bytes, and `stream`
puts them together.
"""
