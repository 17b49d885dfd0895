// The diary as a grid, fed with plain values and kept fresh. All times are the site's wall clock: never the reader's.
// On small screens, on paper and without scripts the list beside it is the diary.
(() => {
  const source = document.getElementById("diary-data");
  if (!source) return;
  let diary = JSON.parse(source.textContent);
  const at = diary; // The addresses and choices of this page; what is polled carries none.
  const words = {};
  for (const word of document.getElementById("diary-words").content.children) words[word.dataset.word] = word.textContent;
  const grid = document.querySelector("[data-diary-grid]");
  const list = document.querySelector("[data-diary-list]");
  const said = document.querySelector("[data-diary-said]");
  const wide = window.matchMedia("(min-width: 62rem)");
  const matrix = at.view === "week" && at.only === null;
  const language = document.documentElement.lang;
  let heardAt = performance.now();
  let calendar = null;
  let dragging = false;
  let fresh = new Set();

  const say = (text) => {
    said.textContent = text;
  };
  const element = (name, classes, text) => {
    const made = document.createElement(name);
    if (classes) made.className = classes;
    if (text) made.textContent = text;
    return made;
  };
  const icon = (name) => {
    const space = "http://www.w3.org/2000/svg";
    const made = document.createElementNS(space, "svg");
    made.setAttribute("class", "icon");
    made.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(space, "use");
    use.setAttribute("href", `#icon-${name}`);
    made.append(use);
    return made;
  };
  const clock = (moment) => moment.slice(11, 16);
  const later = (moment, minutes) => clock(new Date(Date.parse(`${moment}Z`) + minutes * 60000).toISOString());
  const day = (moment) => moment.slice(0, 10);
  const two = (number) => String(number).padStart(2, "0");
  const wall = (date) =>
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
  const columnName = (key) => diary.columns.find((column) => column.id === key)?.name ?? "";
  const diaryAt = (changes) => {
    const query = { site: at.site, view: at.view, by: at.by, day: at.day, only: at.only, ...changes };
    for (const name of Object.keys(query)) if (query[name] === null) delete query[name];
    return `${at.diary}?${new URLSearchParams(query)}`;
  };

  // --- One visit ---------------------------------------------------------------------------------

  const ICONS = { booked: "calendar", arrived: "arrived", fulfilled: "check", no_show: "absent" };

  const phases = (visit) => {
    const layer = element("span", "card-phases");
    layer.setAttribute("aria-hidden", "true");
    let minutes = 0;
    for (const part of visit.parts) {
      const stripe = element("span", `card-phase card-phase-${part.kind}`);
      stripe.style.flexGrow = part.minutes;
      if (part.kind === "work" && minutes && !matrix) stripe.append(element("span", "card-phase-time", later(visit.start, minutes)));
      layer.append(stripe);
      minutes += part.minutes;
    }
    return layer;
  };

  // The server says how late somebody came; how late somebody is grows while the page is open.
  const GRACE = 5;
  const late = (visit) => {
    let minutes = visit.late;
    if (visit.status === "booked") {
      const moment = now();
      minutes = Math.floor((Date.parse(`${moment}Z`) - Date.parse(`${visit.start}Z`)) / 60000);
      if (minutes < GRACE || moment >= visit.end) minutes = 0;
    }
    return minutes ? words.late.replace("{n}", minutes) : "";
  };

  const spoken = (visit) => {
    const parts = visit.parts.length > 1 ? visit.parts.map((part) => `${part.name} ${part.minutes} min`).join(", ") : "";
    return element("span", "visually-hidden", parts ? ` (${parts})` : "");
  };

  const whole = (visit) =>
    [
      `${clock(visit.start)}–${clock(visit.end)} ${visit.patient}`,
      [visit.treatment, visit.which].filter(Boolean).join(" "),
      visit.add_ons.map((name) => `+ ${name}`).join(", "),
      words[visit.status],
      ...visit.parts.map((part) => `${part.name} ${part.minutes} min`),
      visit.practitioner,
      visit.room,
      ...visit.missing,
      late(visit),
    ]
      .filter(Boolean)
      .join("\n");

  const card = (visit) => {
    const link = element("a", "card");
    link.href = at.visit.replace("/0/", `/${visit.id}/`);
    link.draggable = false;
    link.title = whole(visit);
    link.dataset.visit = visit.id;
    const first = element("span", "card-first");
    const badge = element("span", "card-status");
    badge.append(icon(ICONS[visit.status]), element("span", "visually-hidden", `${words[visit.status]} `));
    first.append(
      badge,
      element("span", "card-time", clock(visit.start)),
      " ",
      element("strong", "card-who", visit.patient),
    );
    const what = element("span", "card-what", visit.treatment);
    if (visit.which) what.append(" ", element("span", "card-which", visit.which));
    for (const name of visit.add_ons) what.append(" ", element("span", "card-which", `+ ${name}`));
    link.append(phases(visit), first, what);
    if (visit.missing.length) {
      const missing = element("span", "card-missing");
      missing.append(icon("alert"), ` ${visit.missing.join(", ")}`);
      link.append(missing);
    }
    if (late(visit)) {
      const behind = element("span", "card-missing card-late");
      behind.append(icon("hands"), ` ${late(visit)}`);
      link.append(behind);
    }
    const where = at.by === "room" ? visit.practitioner : visit.room;
    if (!matrix) {
      const state = visit.status === "booked" ? "" : words[visit.status];
      link.append(element("span", "card-where", [where, state].filter(Boolean).join(" · ")));
    }
    link.append(spoken(visit));
    return link;
  };

  const note = (shade) => {
    const span = shade.whole ? "" : `${clock(shade.start)}–${clock(shade.end)} `;
    return element("span", "shade-note", `${span}${words[shade.kind]}${shade.reason ? `: ${shade.reason}` : ""}`);
  };

  const content = ({ event }) => {
    const { visit, shade } = event.extendedProps;
    if (visit) return { domNodes: [card(visit)] };
    if (shade && shade.kind !== "off") return { domNodes: [note(shade)] };
    return "";
  };

  // --- The grid ----------------------------------------------------------------------------------

  const now = () => {
    const moment = new Date(`${diary.now}Z`);
    moment.setTime(moment.getTime() + performance.now() - heardAt);
    return moment.toISOString().slice(0, 16);
  };
  const shown = (column) => at.only === null || column === at.only;

  const visitEvents = () =>
    diary.visits
      .filter((visit) => shown(visit.column))
      .map((visit) => ({
        id: `visit-${visit.id}`,
        resourceIds: [String(visit.column)],
        start: visit.start,
        end: visit.end,
        startEditable: Boolean(at.move) && visit.movable,
        classNames: ["visit", `visit-${visit.status}`, ...(fresh.has(visit.id) ? ["is-fresh"] : [])],
        extendedProps: { visit },
      }));

  // Hour by hour where there are hours; in the matrix, where a cell is a day, in words.
  const shadeEvents = () => {
    const found = diary.shades.filter((shade) => shown(shade.column));
    if (!matrix) {
      return found.map((shade) => ({
        resourceIds: [String(shade.column)],
        start: shade.start,
        end: shade.end,
        display: "background",
        classNames: ["shade", `shade-${shade.kind}`],
        extendedProps: { shade: { ...shade, whole: true } },
      }));
    }
    return found.flatMap((shade) => {
      const whole = clock(shade.start) === "00:00" && day(shade.start) !== day(shade.end);
      if (shade.kind === "off" && !whole) return [];
      const common = {
        resourceIds: [String(shade.column)],
        allDay: true,
        start: day(shade.start),
        end: day(shade.start),
        extendedProps: { shade: { ...shade, whole } },
      };
      const made = [{ ...common, startEditable: false, classNames: ["note", `note-${shade.kind}`] }];
      if (shade.kind === "off") made.pop();
      if (whole) made.push({ ...common, display: "background", classNames: ["shade", `shade-${shade.kind}`], extendedProps: {} });
      return made;
    });
  };

  const nowEvents = () => {
    const moment = now();
    if (matrix || !diary.days.includes(day(moment))) return [];
    const until = `${moment}:59`;
    const keys = diary.columns.filter((column) => shown(column.id)).map((column) => String(column.id));
    return [{ resourceIds: keys, start: moment, end: until, display: "background", classNames: ["now"] }];
  };

  const events = () => [...shadeEvents(), ...nowEvents(), ...visitEvents()];

  const resources = () => diary.columns.filter((column) => shown(column.id)).map((column) => ({ id: String(column.id), title: column.name }));

  const hidden = () => {
    if (at.view === "day") return [];
    const worth = new Set(diary.days.map((each) => new Date(`${each}T12:00Z`).getUTCDay()));
    return [0, 1, 2, 3, 4, 5, 6].filter((weekday) => !worth.has(weekday));
  };

  const columnLabel = ({ resource }) => {
    const link = element("a", "column-link", resource.title);
    link.href = diaryAt({ only: resource.id, view: "week" });
    link.append(element("span", "visually-hidden", `: ${words.week}`));
    return { domNodes: [link] };
  };

  const dayLabel = (date) => {
    const text = new Intl.DateTimeFormat(language, { weekday: "short", day: "numeric", month: "short" }).format(date);
    const its = day(wall(date));
    const link = element("a", its === diary.today ? "column-link is-today" : "column-link", text);
    link.href = diaryAt({ view: "day", day: its });
    return { domNodes: [link] };
  };

  const slotHeight = () => {
    const room = grid.clientHeight - 45;
    return Math.min(72, Math.max(34, Math.floor(room / ((diary.closes - diary.opens) * 2))));
  };

  const VIEWS = { day: "resourceTimeGridDay", week: at.only === null ? "resourceTimelineWeek" : "timeGridWeek" };

  const build = () => {
    const isToday = diary.days.includes(diary.today) && at.view === "day";
    calendar = window.EventCalendar.create(grid, {
      view: VIEWS[at.view],
      date: at.day,
      firstDay: 1,
      hiddenDays: hidden(),
      headerToolbar: { start: "", center: "", end: "" },
      locale: language,
      allDaySlot: false,
      nowIndicator: false,
      slotMinTime: `${two(diary.opens)}:00:00`,
      slotMaxTime: `${two(diary.closes)}:00:00`,
      slotDuration: matrix ? { days: 1 } : "00:30:00",
      snapDuration: "00:15:00",
      slotHeight: slotHeight(),
      slotLabelFormat: { hour: "2-digit", minute: "2-digit", hour12: false },
      slotLabelInterval: "01:00:00",
      scrollTime: isToday ? `${two(Math.max(diary.opens, Number(diary.now.slice(11, 13)) - 1))}:00:00` : `${two(diary.opens)}:00:00`,
      columnWidth: at.view === "day" ? "minmax(8.5rem, 1fr)" : "minmax(9rem, 1fr)",
      dayHeaderFormat: dayLabel,
      resourceLabelContent: columnLabel,
      resources: resources(),
      events: events(),
      eventContent: content,
      editable: false,
      eventDurationEditable: false,
      eventDragMinDistance: 6,
      dragScroll: true,
      eventDragStart: () => {
        dragging = true;
      },
      eventDragStop: () => {
        // The click that ends a drag comes after it, and opens nothing.
        window.setTimeout(() => {
          dragging = false;
        });
      },
      eventDrop: dropped,
      dateClick: at.new ? clicked : undefined,
      eventAllUpdated: tidy,
    });
    grid.classList.toggle("is-matrix", matrix);
    document.getElementById("diary").classList.add("has-grid");
  };

  grid.addEventListener(
    "click",
    (event) => {
      if (!dragging) return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );

  // The library's roles promise a table that is not there; what stands in it are headings and links.
  const tidy = () => {
    for (const node of grid.querySelectorAll("[role]")) node.removeAttribute("role");
    for (const node of grid.querySelectorAll("[aria-colindex], [aria-colspan]")) {
      node.removeAttribute("aria-colindex");
      node.removeAttribute("aria-colspan");
    }
    const main = grid.querySelector(".ec-main");
    if (main && !main.hasAttribute("tabindex")) {
      main.tabIndex = 0;
      main.dataset.scrolls = "";
      main.setAttribute("role", "region");
      main.setAttribute("aria-label", words.diary);
    } else if (main) {
      main.setAttribute("role", "region");
    }
  };

  const redraw = () => {
    if (!calendar) return;
    const focused = document.activeElement?.dataset?.visit;
    calendar.setOption("resources", resources());
    calendar.setOption("events", events());
    if (!focused) return;
    window.requestAnimationFrame(() => grid.querySelector(`[data-visit="${focused}"]`)?.focus({ preventScroll: true }));
  };

  const fit = () => {
    if (wide.matches && !calendar && window.EventCalendar) {
      build();
      tidy();
    } else if (calendar) {
      calendar.setOption("slotHeight", slotHeight());
    }
  };
  wide.addEventListener("change", fit);
  window.addEventListener("resize", fit);

  // --- Moving: the question is the page of the move, shown here ---------------------------------------

  const ask = document.querySelector("[data-diary-ask]");
  const answer = ask.querySelector("[data-diary-answer]");
  let putBack = null;
  let asked = "";

  const away = (response) => {
    if (!response.redirected || !new URL(response.url).pathname.startsWith("/accounts/")) return false;
    window.location.reload();
    return true;
  };

  const tell = (page) => {
    const region = document.getElementById("messages");
    const theirs = page.getElementById("messages");
    if (!region || !theirs) return;
    region.replaceChildren(...theirs.childNodes);
    window.htmx?.process(region);
  };

  const refuse = (text) => {
    const region = document.getElementById("messages");
    region.replaceChildren(element("div", "message message-warning", text));
    region.scrollIntoView({ block: "nearest" });
  };

  const settle = async (response) => {
    if (away(response)) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const still = new URL(response.url).pathname === new URL(asked, window.location).pathname;
    const main = page.getElementById("main");
    if (!main || (!response.ok && response.status !== 422)) throw new Error(`answered ${response.status}`);
    if (!still) {
      // Done, or nothing to be asked: the page's own words say which, and the grid shows what stands.
      tell(page);
      putBack?.();
      putBack = null;
      ask.close();
      await refresh({ force: true });
      return;
    }
    main.querySelector("#messages")?.remove();
    const title = main.querySelector("h1")?.textContent.trim();
    if (title) ask.setAttribute("aria-label", title);
    answer.replaceChildren(...main.childNodes);
    window.htmx?.process(answer);
    if (!ask.open) ask.showModal();
    (answer.querySelector("[autofocus]") ?? answer.querySelector("input, select, button, a"))?.focus();
  };

  const dropped = async ({ event, revert }) => {
    const { visit } = event.extendedProps;
    const [column] = event.resourceIds;
    const query = new URLSearchParams({ start: wall(event.start) });
    if (column !== "0") query.set(at.by, column);
    asked = `${at.move.replace("/0/", `/${visit.id}/`)}?${query}`;
    putBack = revert;
    try {
      await settle(await fetch(asked, { headers: { Accept: "text/html" } }));
    } catch {
      putBack?.();
      putBack = null;
      refuse(answer.dataset.failed);
    }
  };

  answer.addEventListener("submit", async (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method === "dialog") return;
    event.preventDefault();
    const body = new FormData(form, event.submitter);
    const to = new URL(event.submitter?.getAttribute("formaction") || form.getAttribute("action") || asked, window.location);
    answer.inert = true;
    try {
      if (form.method === "get") {
        to.search = new URLSearchParams(body);
        asked = to.pathname + to.search;
        await settle(await fetch(to));
      } else {
        await settle(await fetch(to, { method: "POST", body }));
      }
    } catch {
      putBack?.();
      putBack = null;
      ask.close();
      refuse(answer.dataset.unknown);
      await refresh({ force: true });
    } finally {
      answer.inert = false;
    }
  });
  answer.addEventListener("click", (event) => {
    if (!event.target.closest("[data-close-dialog]")) return;
    event.preventDefault();
    ask.close();
  });
  ask.addEventListener("close", () => {
    const reason = answer.querySelector("[role=alert]")?.textContent.trim() ?? "";
    answer.replaceChildren();
    if (!putBack) return;
    putBack();
    putBack = null;
    refuse(`${answer.dataset.back} ${reason}`.trim());
  });

  // --- An empty time: for whom? -----------------------------------------------------------------------

  const booker = document.querySelector("[data-diary-new]");
  let wanted = null;

  const clicked = ({ date, resource }) => {
    if (dragging) return;
    if (matrix) {
      window.location.assign(diaryAt({ view: "day", day: day(wall(date)) }));
      return;
    }
    const key = resource ? Number(resource.id) : at.only;
    wanted = new URLSearchParams({ site: at.site, start: wall(date) });
    if (key) wanted.set(at.by, key);
    const when = new Intl.DateTimeFormat(language, { weekday: "short", day: "numeric", month: "short" }).format(date);
    booker.querySelector("[data-diary-when]").textContent = `${when}, ${clock(wall(date))} · ${columnName(key)}`;
    booker.showModal();
    booker.querySelector("input[type=search]").focus();
  };

  booker.addEventListener("htmx:afterSwap", () => {
    for (const link of booker.querySelectorAll("[data-results] a")) {
      const key = new URL(link.href).pathname.match(/\/(\d+)\/$/)?.[1];
      if (key) link.href = `${at.new.replace("/0/", `/${key}/`)}?${wanted}`;
    }
    // Who is registered on the way comes back to this time.
    for (const form of booker.querySelectorAll("[data-register]")) {
      for (const [name, value] of [["then", "visit"], ...wanted]) {
        const field = element("input");
        Object.assign(field, { type: "hidden", name, value });
        form.append(field);
      }
    }
  });

  // --- What others change ---------------------------------------------------------------------------------

  const EVERY = 3000;

  const take = (heard) => {
    // That time goes by is no news.
    const stands = (visit) => JSON.stringify({ ...visit, late: 0 });
    const before = new Map(diary.visits.map((visit) => [visit.id, stands(visit)]));
    const { list: markup, ...values } = heard;
    diary = values;
    heardAt = performance.now();
    fresh = new Set(diary.visits.filter((visit) => before.get(visit.id) !== stands(visit)).map((visit) => visit.id));
    const row = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    list.innerHTML = markup;
    if (row) list.querySelector(`a[href="${row}"]`)?.focus({ preventScroll: true });
    redraw();
    fresh = new Set();
    say("");
    window.setTimeout(() => say(said.dataset.changed), 50);
  };

  const refresh = async ({ force = false } = {}) => {
    const url = new URL(at.feed, window.location);
    if (!force) url.searchParams.set("token", diary.token);
    try {
      const response = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(15000) });
      if (away(response)) return;
      if (response.status === 200) {
        const heard = await response.json();
        if (!dragging && !ask.open) take(heard);
      }
      document.getElementById("diary").classList.toggle("is-stale", !response.ok);
    } catch {
      document.getElementById("diary").classList.add("is-stale");
    }
  };

  let timer = null;
  const again = async () => {
    window.clearTimeout(timer);
    if (!document.hidden && !dragging && !ask.open) await refresh();
    timer = window.setTimeout(again, EVERY);
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) again();
  });

  // The line of the present walks on.
  window.setInterval(() => {
    if (calendar && !dragging && !document.hidden && diary.days.includes(diary.today)) redraw();
  }, 60000);

  fit();
  timer = window.setTimeout(again, EVERY);
})();
