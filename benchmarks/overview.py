"""The picture on the front page: the most typical film of the story, and what everybody makes of it.

    python -m benchmarks.overview

reads the run that travels with the package; writes nbs/images/overview.jpg."""
from pathlib import Path

from chexseg.pseudomasks import best_per_task, pseudo_masks
from chexseg.report import typical_ids
from chexseg.runs import story
from chexseg.show import heat, overlay, show_row

IMAGES = Path(__file__).parent.parent/"nbs"/"images"
SIDE = 2.2 # inches a film
SHOWN = ("weak", "full", "semi", "chexseg", "ours") # one network each


def typical_film(run):
    "The most typical test film as a part of its own."
    return run.part("test").subset(typical_ids(run)[:1])


def first_finding(part):
    "The number of the film's first finding, in the order of the tasks."
    return int(part.labels[0].argmax())


def pseudo_mask(run, part, maps):
    "What the maps of the film become when its labels are known."
    thresholds = best_per_task(run/"tuning_results.csv")
    return pseudo_masks(maps.subset(part.ids), thresholds, labels=part.labels)[part.ids[0]]


def panels(run):
    "Title -> picture, in the order of the method; and the tasks that any of them shows."
    part = typical_film(run)
    name = part.ids[0]
    film = part.film(0)
    maps = run.maps("test")
    j = first_finding(part)
    made = {m: masks[name] for m, masks in run.predictions().items()}
    drawn = {"the expert's outlines": part.masks[name], "simulated readers": made["readers"],
             "pseudo-masks": pseudo_mask(run, part, maps)} | {method: made[method] for method in SHOWN}
    shown = [t for k, t in enumerate(part.tasks) if any(m[k].any() for m in drawn.values())]
    pictures = {title: overlay(film, masks, part.tasks) for title, masks in drawn.items()}
    warm = heat(film, maps.upsample(name, film.shape)[j])
    first = {"the film": film} | {who: pictures.pop(who) for who in ("the expert's outlines", "simulated readers")}
    return first | {f"saliency: {part.tasks[j].lower()}": warm} | pictures, shown


def main():
    pictures, tasks = panels(story())
    fig = show_row(pictures, tasks, columns=5, side=SIDE)
    path = IMAGES/"overview.jpg"
    fig.savefig(path, dpi=100, pil_kwargs=dict(quality=80, optimize=True))
    print(path, f"{path.stat().st_size/1000:.0f} kB")


if __name__ == "__main__":
    main()
