// A key (WebAuthn) as second factor: what the browser gets from it goes into the form, which is then sent as any other.

/** Why no key can be asked here, "" where one can. */
function whyNot() {
  if (/^[\d.]+$|^\[/.test(location.hostname)) return "Keys belong to a name: open this page as localhost, or by the console's name.";
  if (!window.isSecureContext) return "Keys need https, or the name localhost.";
  if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) return "This browser does not know keys.";
  return "";
}

function ask({ key, options }) {
  const given = JSON.parse(options);
  if (key === "create") return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(given) });
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(given) });
}

for (const form of document.querySelectorAll("form[data-key]")) {
  const said = form.querySelector("[data-said]");
  said.textContent = whyNot();
  if (said.textContent) continue;
  form.querySelector("button").disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "Touch the key, or do what the browser asks for.";
    try {
      const credential = await ask(form.dataset);
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      said.textContent = `The key did not answer: ${error.message}`;
    }
  });
}
