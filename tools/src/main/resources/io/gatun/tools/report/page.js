for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const rows = button.parentElement.querySelectorAll("tr");
    const text = [...rows].map(row => [...row.cells].map(cell => cell.textContent).join("\t")).join("\n");
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch (refused) {
      // Pages opened from a file may not use the clipboard: the old way still works there.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
    }
    button.textContent = done ? "Copied" : "Select the table and copy it";
    setTimeout(() => { button.textContent = "Copy table"; }, 2000);
  });
}
