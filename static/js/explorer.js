// Swagger UI on our own schema. Writing needs what Django asks of a session: the token of the cookie, in a header.

const place = document.getElementById("explorer");

function csrf() {
  return /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";
}

function open() {
  globalThis.SwaggerUIBundle({
    domNode: place,
    url: place.dataset.schema,
    docExpansion: "list",
    filter: true,
    validatorUrl: null,
    requestInterceptor: (request) => {
      if (new URL(request.url, location.href).origin === location.origin) request.headers["X-CSRFToken"] = csrf();
      return request;
    },
  });
}

// Its bundle is no module and 1.6 MB: it is fetched on this page only.
const bundle = document.createElement("script");
bundle.src = place.dataset.bundle;
bundle.onload = open;
document.head.append(bundle);
