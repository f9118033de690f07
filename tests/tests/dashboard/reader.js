// What a page of the dashboard shows at one moment.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const isShown = element => element.checkVisibility() && element.getClientRects().length > 0;
  const text = element => (element?.textContent ?? "").replace(/\s+/g, " ").trim();
  const rows = table => all("tbody tr", table ?? document.createElement("table")).map(row => [...row.cells].map(text));

  // What the page still waits for, in words; nothing where it is complete.
  const pending = () => {
    if (!document.querySelector("main h1")) return "there is no heading yet";
    return text(all("main :is(.loading, .waiting)").find(isShown)) || null;
  };

  // Rows of a panel's first table.
  const panel = name => rows(document.querySelector(`.panel.${name} table`));

  const live = () => {
    const [sensors, interfaces] = all(".places table");
    return {
      contact: document.querySelector(".contact")?.classList[1],
      time: /\d\d:\d\d:\d\d/.exec(text(document.querySelector(".contact .detail")))?.[0],
      rate: text(document.querySelector("#rate-now")),
      facts: all(".hero .facts .figure").map(text),
      losses: text(document.querySelector(".hero .losses")),
      shares: all(".split .value").map(text),
      ports: panel("ports"),
      regions: panel("regions"),
      tools: panel("tools-now"),
      backscatter: panel("backscatter"),
      outcomes: panel("outcomes"),
      sensors: rows(sensors),
      interfaces: rows(interfaces),
      figures: rows(document.querySelector(".series details table")),
      map: Object.fromEntries(all(".map [data-code]").map(path => [path.dataset.code, path.getAttribute("class")])),
      legend: all(".map .shades li").map(text),
    };
  };

  // Whether anything but the ground is drawn in every chart, and how many there are.
  const drawn = () =>
    all("canvas").map(canvas => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some(value => value > 0);
    });

  // Texts of the frame and of headings, by what they are.
  const words = () => ({
    nav: all("nav a").map(text),
    headings: all("h1, h2, h3").filter(isShown).map(text),
    columns: all("thead th").map(text).filter(Boolean),
    labels: all("label").map(text),
    skip: text(document.querySelector(".skip")),
    footer: text(document.querySelector("footer p")),
  });

  // Texts that are keys of messages, or still have a place for a value.
  const untranslated = async () => {
    const keys = new Set(Object.keys(await (await fetch("/messages/en.json")).json()).filter(key => key.includes(".")));
    const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
    const found = [document.title];
    while (walker.nextNode()) found.push(walker.currentNode.data);
    for (const name of ["aria-label", "title", "placeholder"]) {
      found.push(...all(`[${name}]`).map(element => element.getAttribute(name)));
    }
    return found.map(said => said.trim()).filter(said => keys.has(said) || /\{\w+\}/.test(said));
  };

  // What has the focus, and whether that can be seen.
  const focus = () => {
    const element = document.activeElement;
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
    const { top, left, bottom, right } = element.getBoundingClientRect();
    return {
      tag: element.tagName.toLowerCase(),
      text: text(element),
      path: element.getAttribute("href"),
      isMarked: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && !/, 0\)$/.test(outlineColor),
      isInside: bottom > 0 && right > 0 && top < innerHeight && left < innerWidth,
    };
  };

  const fields = () =>
    Object.fromEntries(all("main :is(input, select)[name]").map(field => [field.name, field.value]));

  // What stands at a field, and whether the field is marked as wrong.
  const fault = name => {
    const field = document.querySelector(`[name="${name}"]`);
    const said = field.getAttribute("aria-describedby").split(" ").map(id => document.getElementById(id));
    return {
      isInvalid: field.getAttribute("aria-invalid") === "true",
      said: said.filter(element => element.matches(".field-error") && isShown(element)).map(text).join(" "),
    };
  };

  const shows = wanted => all("body *").some(element => isShown(element) && text(element).includes(wanted));

  return { pending, panel, live, drawn, words, untranslated, focus, fields, fault, shows };
})()
