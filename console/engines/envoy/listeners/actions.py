"""What a route does with a request: to endpoints, elsewhere, or answered on the spot."""

from __future__ import annotations

import re
from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.type.matcher.v3 import regex_pb2
from google.protobuf import wrappers_pb2

from console.engines.envoy.listeners.treatments import limit_actions, share
from console.engines.envoy.packing import pack, seconds
from console.engines.target import ServiceTarget
from console.engines.target.http import Route
from console.engines.target.outcomes import Destination, Redirect, Rewrite
from console.engines.target.treatment import RateLimit, Retries, Treatment

#: Methods that HTTP itself calls safe: doing them twice is doing them once.
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
#: How often the choice is repeated when it falls on a host tried already; then that host is tried again.
MOST_CHOICES: Final = 10

_RETRY_ON = {
    # The request never reached an application, whatever its method.
    "unsent": "connect-failure,refused-stream",
    "reset": "reset",
    "5xx": "5xx",
    "gateway-error": "gateway-error",
}
_REDIRECTS = {
    301: route_components_pb2.RedirectAction.MOVED_PERMANENTLY,
    302: route_components_pb2.RedirectAction.FOUND,
    303: route_components_pb2.RedirectAction.SEE_OTHER,
    307: route_components_pb2.RedirectAction.TEMPORARY_REDIRECT,
    308: route_components_pb2.RedirectAction.PERMANENT_REDIRECT,
}
_Action = route_components_pb2.RouteAction


def is_retried_by_method(route: Route, treatment: Treatment) -> bool:
    """Whether safe methods are retried for more reasons than others."""
    retries = treatment.retries or Retries()
    further = bool(retries.statuses) or bool(set(retries.on) - {"unsent"})
    goes = route.redirect is None and route.answer is None
    return goes and retries.attempts > 0 and further and not retries.any_method


def action(
    built: route_components_pb2.Route,
    service: ServiceTarget,
    route: Route,
    treatment: Treatment,
    limits: tuple[str, tuple[RateLimit, ...]],
    *,
    safe: bool,
) -> None:
    """Fill in what built does. limits: their name and the limits. safe: every reason to retry applies."""
    if route.redirect is not None:
        built.redirect.CopyFrom(_redirect(route.redirect, route))
        return
    if route.answer is not None:
        built.direct_response.status = route.answer.status
        if route.answer.body:
            built.direct_response.body.CopyFrom(base_pb2.DataSource(inline_string=route.answer.body))
        return
    # The default ends every request after 15 s. A stream that is silent for five minutes still ends.
    going = _Action(timeout=seconds(treatment.timeout_s or 0))
    if treatment.stream_idle_s is not None:
        going.idle_timeout.CopyFrom(seconds(treatment.stream_idle_s))
    _destine(going, service.name, route.destinations)
    _rewrite(going, route)
    retries = treatment.retries or Retries()
    if policy := _retry_policy(retries, safe=safe):
        going.retry_policy.CopyFrom(policy)
        if retries.hedge and safe:
            going.hedge_policy.hedge_on_per_try_timeout = True
    if treatment.mirror is not None and treatment.mirror.percent:
        part = base_pb2.RuntimeFractionalPercent(default_value=share(treatment.mirror.percent))
        going.request_mirror_policies.append(
            _Action.RequestMirrorPolicy(
                cluster=treatment.mirror.service,
                runtime_fraction=part,
                # "-shadow" behind the host name would make it another site.
                disable_shadow_host_suffix_append=True,
            )
        )
    if treatment.websocket is False or (treatment.websocket is None and treatment.max_body_bytes):
        off = wrappers_pb2.BoolValue(value=False)
        going.upgrade_configs.append(_Action.UpgradeConfig(upgrade_type="websocket", enabled=off))
    going.rate_limits.extend(limit_actions(*limits))
    built.route.CopyFrom(going)


def _destine(
    going: route_components_pb2.RouteAction, own: str, destinations: tuple[Destination, ...]
) -> None:
    if not destinations:
        going.cluster = own
    elif len(destinations) == 1:
        going.cluster = destinations[0].service
    else:
        shares = [
            route_components_pb2.WeightedCluster.ClusterWeight(
                name=each.service, weight=wrappers_pb2.UInt32Value(value=each.weight)
            )
            for each in destinations
        ]
        going.weighted_clusters.CopyFrom(route_components_pb2.WeightedCluster(clusters=shares))


def _rewrite(going: route_components_pb2.RouteAction, route: Route) -> None:
    rewrite = route.rewrite or Rewrite()
    if rewrite.prefix is not None:
        if (regex := _prefix_regex(route, rewrite.prefix)) is not None:
            going.regex_rewrite.CopyFrom(regex)
        else:
            going.prefix_rewrite = rewrite.prefix
    if rewrite.regex is not None:
        going.regex_rewrite.CopyFrom(
            regex_pb2.RegexMatchAndSubstitute(
                pattern=regex_pb2.RegexMatcher(regex=rewrite.regex), substitution=rewrite.substitution
            )
        )
    if rewrite.host is not None:
        going.host_rewrite_literal = rewrite.host


def _prefix_regex(route: Route, prefix: str) -> regex_pb2.RegexMatchAndSubstitute | None:
    """In the place of "/shop", "/" alone would make "//x" of "/shop/x": there the slash goes with it."""
    old = route.match.prefix
    if old is None or old.endswith("/") or not prefix.endswith("/"):
        return None
    return regex_pb2.RegexMatchAndSubstitute(
        pattern=regex_pb2.RegexMatcher(regex=f"^{re.escape(old)}/?"),
        substitution=prefix.replace("\\", r"\\"),
    )


def _redirect(redirect: Redirect, route: Route) -> route_components_pb2.RedirectAction:
    built = route_components_pb2.RedirectAction(
        response_code=_REDIRECTS[redirect.status], strip_query=not redirect.keep_query
    )
    if redirect.https:
        built.https_redirect = True
    if redirect.host is not None:
        built.host_redirect = redirect.host
    if redirect.port is not None:
        built.port_redirect = redirect.port
    if redirect.path is not None:
        built.path_redirect = redirect.path
    if redirect.prefix is not None:
        if (regex := _prefix_regex(route, redirect.prefix)) is not None:
            built.regex_rewrite.CopyFrom(regex)
        else:
            built.prefix_rewrite = redirect.prefix
    return built


def _retry_policy(retries: Retries, *, safe: bool) -> route_components_pb2.RetryPolicy | None:
    on = [_RETRY_ON[each] for each in retries.on if safe or each == "unsent"]
    if safe and retries.statuses:
        on.append("retriable-status-codes")
    if not retries.attempts or not on:
        return None
    policy = route_components_pb2.RetryPolicy(
        retry_on=",".join(on),
        num_retries=wrappers_pb2.UInt32Value(value=retries.attempts),
        retriable_status_codes=retries.statuses if safe else (),
        retry_host_predicate=[
            route_components_pb2.RetryPolicy.RetryHostPredicate(
                name="envoy.retry_host_predicates.previous_hosts",
                typed_config=pack(previous_hosts_pb2.PreviousHostsPredicate()),
            )
        ],
        host_selection_retry_max_attempts=MOST_CHOICES,
        retry_back_off=route_components_pb2.RetryPolicy.RetryBackOff(
            # Another host is tried, so there is little to wait for.
            base_interval=seconds(0.005),
            max_interval=seconds(0.1),
        ),
    )
    if retries.per_try_timeout_s is not None and safe:
        # Where its end is no reason to try again, it would only make the request's own timeout shorter.
        policy.per_try_timeout.CopyFrom(seconds(retries.per_try_timeout_s))
    return policy
