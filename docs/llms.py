"""Writes llms.txt: the book on one page of plain text, for language models and for whoever searches it.

    python docs/llms.py"""
from chapters import ROOT, read_book, settings


def link(address, symbol):
    "One symbol: where it is explained, and what it does."
    return f"- [{symbol.name}{symbol.signature}]({address}/{symbol.page}#{symbol.name}): {symbol.doc}"


def llms_txt(root=ROOT):
    "The text, in the form of llmstxt.org: a title, a sentence, and lists of links."
    config = settings(root)
    address = config["doc_host"] + config["doc_baseurl"]
    sections, _ = read_book(root)
    chapters = [c for _, cs in sections for c in cs]
    lines = [f"# {config['title']}", "", f"> {config['description']}", ""]
    lines += [f"Source: {config['git_url']}. The chapters are notebooks; each is one module of the package.", ""]
    for name, members in sections:
        lines += [f"## {name or 'Overview'}", ""]
        lines += [f"- [{c.title}]({address}/{c.page}): {c.line}" for c in members]
        lines += [""]
    for chapter in chapters:
        public = [s for s in chapter.symbols if not s.private]
        if public:
            lines += [f"## {chapter.module}", ""]
            lines += [link(address, s) for s in public]
            lines += [""]
    return "\n".join(lines)


if __name__ == "__main__":
    (ROOT/"llms.txt").write_text(llms_txt(), encoding="utf-8")
