"""Weights for traffic: what each endpoint can serve for its service, learnt.

Theory of operation
- The picker in the engine sends each request where (in flight + 1) / capacity is least. What it needs to know is
  a capacity: requests a second that an endpoint could serve here, given what else its host is doing. Evening out
  utilisation (Dropbox Robinhood, 2024) is the wrong set-point for it: by design it uses fast hosts more at low
  load. The weights are these capacities, so that they also serve weighted round robin (which then evens out
  utilisation, at every load) and weighted least request.
- It is identified, not chased. A capacity does not change with the traffic that a weight sends, so there is no
  loop through old reports that could swing (Mitzenmacher, "How useful is old information?", 2000: a loop that
  acts on old figures must act slower). Each report is held against the requests served in the second that it
  describes, as long ago as that was (evidence.py).
- Two witnesses. The agent's report is exact and late: utilisation of the tightest resource over requests served
  is what a request costs of the host, and 1 / cost what the host can serve; what is in use beyond that is other
  work, and leaves less. A sudden rise of it is taken for other work at once, and for dearer requests only in
  minutes. The engine's own figures are fresh every second and rough: by Little's law the response time is
  in flight / rate, and rate x (1 / in flight + use squared) is near the capacity. How the two lean to each other
  depends on the picker and on what requests wait for; it is the median over the endpoints, so that a service
  that waits for a database is not mistaken for one that is stuck. The engine's figures bound the reports' within
  a factor that narrows with the number of requests seen (cf. Prequal, NSDI 2024: utilisation trails, requests in
  flight and latency do not).
- So a host that is stuck, or whose antagonist began just now, loses traffic within a second or two, whatever its
  agent says; a claim of being idle draws no more than the engine bears out; a host said to be full while nothing
  waits on it loses 3 % a second at most.
- Failures cost the square of the share that succeeds, at once, and are forgotten in half a minute, so that it is
  tried again: who fails fast has nothing in flight and would look best of all.
- Limits: what reports alone say moves a capacity by RISE or FALL a second; what both witnesses say, by AGREED.
  Where the engine denied the reports, they raise it by little for half a minute.
- Confidence: other work as reported long ago counts less and less; costs fade where nothing new comes, quickly
  without reports, slowly on a host that is merely idle; what fades goes back to the typical capacity a core, and
  what was never known is cores alone.
- Newcomers, and who comes back from unhealthy, ramp up.
- However much other work a report tells of, a fifth of the host is left: who asks on a busy host gets a part of it.

Found in simulation (balancer_core.sim.traffic; six hosts as 10 : 6 : 4 : 2.4 : 1.6 : 1 that declare the same size)
- p99 with learnt weights is that with perfect ones, within 2 %, at 30 to 92 % load, and below 1.01 times a
  clairvoyant's that picks the earliest end. It is below 1 because the earliest end is best for the request itself
  and not for those after it: counting what is in flight 1.25 times leaves them room (4 to 7 % of p99 at 60 % and
  more where requests are alike, nothing where they vary; twice is too much at low load).
- Largest over mean utilisation is 1.33 / 1.18 / 1.07 at 60 / 80 / 92 % load with that picker, and 1.02 at all of
  them with weighted round robin by the same weights, whose p99 is 2.4 / 1.4 / 1.0 times as long. Weights that
  are the root of the capacities come to 1.23 / 1.11 / 1.04, and overload slow hosts under every other policy.
- P pickers that each see their own requests count each 1.25 x the root of P times. Four pickers: p99 about 60 ms
  instead of 72 at 60 %, 112 instead of 156 at 80 %; the one that sees all has 43 and 79. What others had in flight a
  second ago is of no use: queues live shorter than that, and pickers that steer by it swing (290 and 2,500 ms).
- Not learnt: other work that was there from the start, all the time, looks like a slow host. It then gets what
  evens out utilisation, about half of what it could serve at low load.

law.py has the formulas, evidence.py what is kept of an endpoint, controller.py the steps, phrasing.py a sentence
for every weight.
"""

from __future__ import annotations

from balancer_core.steering.controller import Steering
from balancer_core.steering.views import EndpointView, InvalidView, WeightPlan

__all__ = ["EndpointView", "InvalidView", "Steering", "WeightPlan"]
