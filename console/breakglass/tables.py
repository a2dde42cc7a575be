"""The site at /tables/ and what it shows: every table of ours, to administrators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import CharField, Field, JSONField, QuerySet, TextField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils.decorators import method_decorator

from console.accounts.models import Role, User
from console.api.views import actor_of
from console.breakglass.acts import ChangeByHand, DeleteByHand, is_secret
from console.events.models import Event

MOST_COLUMNS = 8


class Tables(AdminSite):
    """Who has no account here logs in where everybody does."""

    site_title = site_header = "Steelyard by hand"
    index_title = "Tables"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.has_role(Role.ADMIN)

    def get_urls(self) -> list[Any]:
        found: list[Any] = super().get_urls()
        for pattern in _single(found):
            if hasattr(pattern.callback, "login_url"):
                pattern.callback.login_url = None  # the console's own, as for every page
        return found

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.GET.get("next") or reverse("tables:index"))
        if not self.has_permission(request):
            raise PermissionDenied
        return redirect("tables:index")

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return redirect("settings")


def _single(patterns: Iterable[Any]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        else:
            yield from _single(pattern.url_patterns)


class Table(ModelAdmin):
    """One table. Rows are made by the console's own pages; here they are mended, or go."""

    list_per_page = 50
    show_full_result_count = False

    def get_list_display(self, request: HttpRequest) -> list[str]:
        short = (field for field in self._fields() if not isinstance(field, (JSONField, TextField)))
        return ["__str__", *(field.name for field in short)][:MOST_COLUMNS]

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> list[str]:
        many = [field.name for field in self.opts.many_to_many]
        return [field.name for field in self.opts.concrete_fields if is_secret(field.attname)] + many

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # Under another key it would be another row.
        return [self.opts.pk.name] if self.opts.pk.editable else []

    def _fields(self) -> Iterable[Field[Any, Any]]:
        return (
            field for field in self.opts.concrete_fields if field.editable and not is_secret(field.attname)
        )

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest | None, **options: Any) -> Any:
        if db_field.null or isinstance(db_field, (JSONField, CharField, TextField)):
            options["required"] = False  # nothing, no text and an empty list are values as any other
        return super().formfield_for_dbfield(db_field, request, **options)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The audit trail is not changed, by nobody.
        return self.model is not Event and self.admin_site.has_permission(request)

    has_delete_permission = has_change_permission

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        # A form knows moments to the second: what was not typed stays as it is.
        row = self.model._default_manager.get(pk=obj.pk)  # noqa: SLF001
        for name in form.changed_data:
            setattr(row, name, getattr(obj, name))
        ChangeByHand(row).run(actor_of(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        DeleteByHand(obj).run(actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        actor = actor_of(request)
        for row in queryset:
            DeleteByHand(row).run(actor)

    # The audit trail is ours: Django's log of the admin is not kept beside it.
    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None: ...

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None: ...

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        about = {"subject_kind": self.opts.verbose_name, "subject": object_id}
        return redirect(f"{reverse('events')}?{urlencode(about)}")


tables = Tables(name="tables")
for model in apps.get_models():
    if model.__module__.startswith("console."):
        tables.register(model, Table)
