"""Names in ten languages. A name of another script stands as `romanised/own`; `·` joins the parts of one given name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Names:
    """`language` is ISO 639; each list is parted by spaces."""

    language: str
    families: str
    women: str
    men: str


# With the share of a hundred of the people who come.
NAMES: Final = (
    (
        Names(
            "eng",
            "Ashworth Brennan Calloway Drummond Ellery Fairbanks Granger Holloway Ingram Jarrett Kessler Langdon",
            "Abigail Beatrice Claire Dorothy Eleanor Frances Grace Hannah",
            "Arthur Benjamin Calvin Douglas Edwin Francis George Henry",
        ),
        46,
    ),
    (
        Names(
            "spa",
            "Álvarez Benítez Cárdenas Domínguez Espinoza Fuentes Guzmán Herrera Ibáñez Jiménez",
            "Ana Beatriz Carmen Dolores Esperanza Graciela",
            "Alejandro Baltasar César Diego Emilio Gonzalo",
        ),
        18,
    ),
    (
        Names(
            "vie",
            "Nguyễn Phạm Trần Lê Hoàng Đặng",
            "Thị·Mai Ngọc·Lan Thu·Hà Bích·Phượng",
            "Văn·Minh Quang·Huy Đức·Anh Hữu·Nghĩa",
        ),
        6,
    ),
    (Names("zho", "Wang/王 Li/李 Zhang/张 Chen/陈 Liu/刘", "Mei/美 Fang/芳 Yan/燕 Xiu/秀", "Wei/伟 Jun/军 Lei/磊"), 6),
    (
        Names(
            "por",
            "Almeida Barbosa Carvalho Figueiredo Gonçalves Magalhães",
            "Adriana Conceição Fátima Inês",
            "João Luís Otávio Sebastião",
        ),
        5,
    ),
    (
        Names(
            "ara",
            "Haddad/حداد Mansour/منصور Khalil/خليل Nasser/ناصر",
            "Layla/ليلى Amal/أمل Salma/سلمى",
            "Omar/عمر Karim/كريم Yusuf/يوسف",
        ),
        5,
    ),
    (
        Names(
            "rus",
            "Ivanenko/Иваненко Sokolenko/Соколенко Moroz/Мороз",
            "Olga/Ольга Irina/Ирина Vera/Вера",
            "Boris/Борис Pavel/Павел Lev/Лев",
        ),
        4,
    ),
    (
        Names(
            "hat",
            "Baptiste Desrosiers Étienne Toussaint",
            "Marie-Ange Rose-Lène Guerda",
            "Jean-Robert Wilner Frantz",
        ),
        4,
    ),
    (Names("pol", "Nowak Wójcik Mazur Zając", "Agnieszka Małgorzata Łucja", "Paweł Stanisław Michał"), 3),
    (Names("kor", "Kim/김 Park/박 Choi/최", "Ji-woo/지우 Seo-yeon/서연", "Min-jun/민준 Do-yun/도윤"), 3),
)


def written(family: str, given: str) -> str:
    """PID-5: the romanised name, and where there is one the name in its own script as a second repetition."""
    latin_family, _, own_family = family.partition("/")
    latin_given, _, own_given = given.partition("/")
    latin = f"{latin_family}^{latin_given.replace('·', ' ')}^^^^^L"
    return f"{latin}^A~{own_family}^{own_given}^^^^^L^I" if own_family and own_given else latin
