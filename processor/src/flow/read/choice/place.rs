//! Reads the place of an option in its list: "2", "two", "the second", "the last one".

use std::sync::LazyLock;

use foldhash::{HashMap, HashSet};

use super::key;

/// The words of one language for the places of options, separated by commas. Forms of one word are
/// separated by spaces, and the words of one form by `_`.
struct Words {
    languages: &'static [&'static str],
    /// The words for one, two and so on.
    counts: &'static str,
    /// The words for first, second and so on.
    orders: &'static str,
    last: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The number from one.
    Number(usize),
    Last,
}

/// The places that a word names, with the languages in which it does.
type Named = Vec<(&'static [&'static str], Place)>;

/// The places by the word, as [`key`] returns it.
static PLACES: LazyLock<HashMap<String, Named>> = LazyLock::new(|| {
    let mut all: HashMap<String, Named> = HashMap::default();
    for words in WORDS {
        let numbered = |list: &'static str| list.split(',').zip((1..).map(Place::Number));
        let last = words.last.split(',').map(|forms| (forms, Place::Last));
        let places = numbered(words.counts)
            .chain(numbered(words.orders))
            .chain(last);
        for (forms, place) in places {
            for form in forms.split_whitespace() {
                let form = key(&form.replace('_', " "));
                all.entry(form).or_default().push((words.languages, place));
            }
        }
    }
    all
});

/// What ends a number in digits, as [`key`] returns it: "2nd", "2º", "2ème", "2번".
static ENDS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let ends = "st nd rd th o a e er ere eme nde de ste te й я е ой 個 个 番 番目 번 번째 号";
    ends.split(' ').map(key).collect()
});

/// Returns the number, from one, that `said` names as the place among `count` options: in digits, or in
/// words of the flow's languages and English. `said` is a [`key`] without fillers.
pub(super) fn place(said: &str, count: usize, languages: &[String]) -> Option<usize> {
    // "the second one", "第2个".
    let said = said.strip_suffix(" one").unwrap_or(said);
    let said = said.strip_prefix('第').unwrap_or(said);
    let end = said.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = said.strip_suffix(end).unwrap_or_default();
    if !digits.is_empty() {
        let is_place = end.is_empty() || ENDS.contains(end.trim_start());
        return digits.parse().ok().filter(|_| is_place);
    }
    let mut places = places(said, languages);
    let place = places.next()?;
    // A word of two languages may mean two places.
    places.all(|other| other == place).then_some(match place {
        Place::Number(number) => number,
        Place::Last => count,
    })
}

/// Returns whether `word` is a word for a place in the flow's languages or English.
pub(super) fn is_word(word: &str, languages: &[String]) -> bool {
    places(word, languages).next().is_some()
}

fn places(said: &str, languages: &[String]) -> impl Iterator<Item = Place> {
    let is_spoken = |tag: &str| {
        let mut primary = languages
            .iter()
            .map(|it| it.split('-').next().unwrap_or_default());
        tag == "en" || primary.any(|it| it == tag)
    };
    let all = PLACES.get(said).into_iter().flatten();
    let spoken = all.filter(move |(tags, _)| tags.iter().any(|tag| is_spoken(tag)));
    spoken.map(|(_, place)| *place)
}

/// A word that also names a day, a room or something else is left out: "segunda" is Monday in Portuguese,
/// and "drugo" is something else in Serbian.
const WORDS: &[Words] = &[
    Words {
        languages: &["en"],
        counts: "one,two,three,four,five,six,seven,eight,nine,ten",
        orders: "first,second,third,fourth,fifth,sixth,seventh,eighth,ninth,tenth",
        last: "last",
    },
    Words {
        languages: &["es"],
        counts: "uno una un,dos,tres,cuatro,cinco,seis,siete,ocho,nueve,diez",
        orders: "primero primera primer,segundo segunda,tercero tercera tercer,cuarta,quinto quinta",
        last: "último,última",
    },
    Words {
        languages: &["pt"],
        counts: "um uma,dois duas,três,quatro,cinco,seis,sete,oito,nove,dez",
        orders: "primeiro primeira,segundo segunda_opção a_segunda_opção,terceiro terceira,\
                 quarta_opção a_quarta_opção,quinta_opção a_quinta_opção",
        last: "último,última",
    },
    Words {
        languages: &["de"],
        counts: "eins,zwei zwo,drei,vier,fünf,sechs,sieben,acht,neun,zehn",
        orders: "erste erster erstes ersten,zweite zweiter zweites zweiten,dritte dritter drittes dritten,\
                 vierte vierter viertes vierten,fünfte fünfter fünftes fünften",
        last: "letzte,letzter,letztes,letzten",
    },
    Words {
        languages: &["fr"],
        counts: "un une,deux,trois,quatre,cinq,six,sept,huit",
        orders: "premier première,deuxième second seconde,troisième,quatrième,cinquième",
        last: "dernier,dernière",
    },
    Words {
        languages: &["it"],
        counts: "uno una un,due,tre,quattro,cinque,sei,sette,otto,nove,dieci",
        orders: "primo la_prima,secondo seconda,terzo terza,quarto quarta,quinto quinta",
        last: "ultimo,ultima",
    },
    Words {
        languages: &["nl"],
        counts: "een één,twee,drie,vier,vijf,zes,zeven,acht,negen,tien",
        orders: "eerste,tweede,derde,vierde,vijfde",
        last: "laatste",
    },
    Words {
        languages: &["pl"],
        counts: "jeden jedynka,dwa dwójka,trzy trójka,cztery,pięć,sześć,siedem,osiem,dziewięć,dziesięć",
        orders: "pierwszy pierwsza pierwsze pierwszą,drugi druga drugie drugą,trzeci trzecia trzecie trzecią,\
                 czwarty czwarta czwarte czwartą,piąty piąta piąte piątą",
        last: "ostatni,ostatnia,ostatnie,ostatnią",
    },
    Words {
        languages: &["cs"],
        counts: "jedna jeden,dva dvě,tři,čtyři,pět,šest,sedm,osm,devět,deset",
        orders: "první,druhý druhá druhé druhou,třetí,čtvrtý čtvrtá čtvrté,pátý pátá páté",
        last: "poslední",
    },
    Words {
        languages: &["sk"],
        counts: "jeden jedna,dva dve,tri,štyri,päť,šesť,sedem,osem,deväť,desať",
        orders: "prvý prvá prvé prvú,druhý druhá druhé druhú,tretí tretia tretie,štvrtý štvrtá,piaty piata",
        last: "posledný,posledná,posledné",
    },
    Words {
        languages: &["ro"],
        counts: "unu una,doi două,trei,patru,cinci,șase,șapte,opt",
        orders: "primul prima,al_doilea a_doua doua,al_treilea a_treia treia,al_patrulea a_patra,al_cincilea a_cincea",
        last: "ultimul,ultima",
    },
    Words {
        languages: &["hu"],
        counts: "egy,kettő két,három,négy,öt,hat,hét,nyolc,kilenc,tíz",
        orders: "első,második,harmadik,negyedik,ötödik",
        last: "utolsó",
    },
    Words {
        languages: &["sv"],
        counts: "ett en,två,tre,fyra,fem,sex,sju,åtta,nio,tio",
        orders: "första,den_andra det_andra nummer_två,tredje,fjärde,femte",
        last: "sista",
    },
    Words {
        languages: &["da", "no", "nb", "nn"],
        counts: "en et én ett ein,to,tre,fire,fem,seks,syv sju,otte åtte,ni,ti",
        orders: "første,den_anden den_andre nummer_to,tredje,fjerde,femte",
        last: "sidste,siste",
    },
    Words {
        languages: &["fi"],
        counts: "yksi,kaksi,kolme,neljä,viisi,kuusi,seitsemän,kahdeksan,yhdeksän,kymmenen",
        orders: "ensimmäinen,numero_kaksi,kolmas,neljäs,viides",
        last: "viimeinen",
    },
    Words {
        languages: &["el"],
        counts: "ένα,δύο δυο,τρία,τέσσερα,πέντε,έξι,εφτά επτά,οχτώ οκτώ,εννιά εννέα,δέκα",
        orders: "πρώτο πρώτη πρώτος,δεύτερο δεύτερη δεύτερος,τρίτο τρίτος,τέταρτο,πέμπτο",
        last: "τελευταίο,τελευταία,τελευταίος",
    },
    Words {
        languages: &["ru"],
        counts: "один одна,два две,три,четыре,пять,шесть,семь,восемь,девять,десять",
        orders: "первый первая первое первую,второй вторая второе вторую,третий третья третье третью,\
                 четвертый четвертая четвертое четвертую,пятый пятая пятое пятую",
        last: "последний,последняя,последнее,последнюю",
    },
    Words {
        languages: &["uk"],
        counts: "один одна,два дві,три,чотири,п'ять,шість,сім,вісім,дев'ять,десять",
        orders: "перший перша перше першу,другий друга друге другу,третій третя третє третю,\
                 четвертий четверта четверте,п'ятий п'ята п'яте",
        last: "останній,остання,останнє,останню",
    },
    Words {
        languages: &["bg"],
        counts: "едно един,две два,три,четири,пет,шест,седем,осем,девет,десет",
        orders: "първото първият първата първи първо,второто вторият втората втори второ,\
                 третото третият третата трети трето,четвъртото четвъртия четвърто,петото петия пето",
        last: "последното,последният,последната,последно",
    },
    Words {
        languages: &["sr", "hr", "bs", "sl"],
        counts: "jedan ena,dva dve dvije,tri,četiri štiri,pet,šest,sedam sedem,osam osem,devet,deset",
        orders: "prvi prva prvo,drugi druga,treći treća treće tretji tretja,četvrti četvrta,peti peta",
        last: "zadnji,zadnja,zadnje,poslednji,poslednja,posljednji,posljednja",
    },
    Words {
        languages: &["tr"],
        counts: "bir,iki,üç,dört,beş,altı,yedi,sekiz,dokuz,on",
        orders: "birinci birincisi ilk ilki,ikinci ikincisi,üçüncü üçüncüsü,dördüncü dördüncüsü,beşinci beşincisi",
        last: "son,sonuncu,sonuncusu",
    },
    Words {
        languages: &["ar"],
        counts: "واحد واحدة,اثنان,ثلاثة ثلاث,أربعة أربع,خمسة خمس,ستة ست,سبعة سبع,ثمانية,تسعة تسع,عشرة",
        orders: "الأول الأولى اول,الثاني الثانية ثاني,الثالث الثالثة ثالث,الرابع الرابعة,الخامس الخامسة",
        last: "الأخير,الأخيرة",
    },
    Words {
        languages: &["fa"],
        counts: "یک,دو,سه,چهار,پنج,شش,هفت,هشت,نه,ده",
        orders: "اولی اول,دومی دوم,سومی سوم,چهارمی چهارم,پنجمی پنجم",
        last: "آخری,آخرین",
    },
    Words {
        languages: &["he"],
        counts: "אחד אחת,שתיים שניים שתים,שלוש שלושה,ארבע ארבעה,חמש חמישה,שש שישה,שבע שבעה,שמונה,תשע תשעה,עשר עשרה",
        orders: "הראשון הראשונה,השני השנייה השניה,השלישי השלישית,הרביעי הרביעית,החמישי החמישית",
        last: "האחרון,האחרונה,אחרון",
    },
    Words {
        languages: &["hi"],
        counts: "एक ek,दो do,तीन teen,चार char,पांच पाँच paanch,छह,सात,आठ,नौ,दस",
        orders: "पहला पहली pehla pehli,दूसरा दूसरी दूसरे doosra doosri dusra dusri,तीसरा तीसरी teesra teesri,\
                 चौथा चौथी,पांचवां पांचवीं",
        last: "आखिरी,अंतिम,aakhri,aakhiri",
    },
    Words {
        languages: &["bn"],
        counts: "এক,দুই,তিন,চার,পাঁচ",
        orders: "প্রথম প্রথমটা প্রথমটি,দ্বিতীয় দ্বিতীয়টা দ্বিতীয়টি,তৃতীয় তৃতীয়টা তৃতীয়টি,চতুর্থ,পঞ্চম",
        last: "শেষেরটা",
    },
    Words {
        languages: &["id", "ms"],
        counts: "satu,dua,tiga,empat,lima,enam,tujuh,delapan lapan,sembilan,sepuluh",
        orders: "pertama,kedua,ketiga,keempat,kelima",
        last: "terakhir,terakhir_sekali",
    },
    Words {
        languages: &["vi"],
        counts: "một,hai,ba,bốn",
        orders: "đầu_tiên cái_đầu_tiên số_một,cái_thứ_hai số_hai,cái_thứ_ba số_ba,số_bốn,số_năm",
        last: "cuối_cùng cái_cuối_cùng cái_cuối",
    },
    Words {
        languages: &["th"],
        counts: "หนึ่ง,สอง,สาม,สี่,ห้า,หก,เจ็ด,แปด,เก้า,สิบ",
        orders: "ที่หนึ่ง แรก อันแรก ข้อแรก,ที่สอง อันที่สอง ข้อสอง,ที่สาม อันที่สาม ข้อสาม,ที่สี่ ข้อสี่,ที่ห้า ข้อห้า",
        last: "สุดท้าย,อันสุดท้าย,ข้อสุดท้าย",
    },
    Words {
        languages: &["zh"],
        counts: "一,二 两 兩,三,四,五,六,七,八,九,十",
        orders: "一个 一個 一项 一項 一种 一種,二个 二個 二项 二項 两个 兩個 二种 二種,三个 三個 三项 三項 三种 三種,\
                 四个 四個 四项 四項,五个 五個 五项 五項",
        last: "最后一个,最後一個,最后,最後,最后一项",
    },
    Words {
        languages: &["ja"],
        counts: "一,二,三,四,五,六,七,八,九,十",
        orders: "一番 一番目 一つ目 最初,二番 二番目 二つ目,三番 三番目 三つ目,四番 四番目 四つ目,五番 五番目 五つ目",
        last: "最後,最後の,一番最後",
    },
    Words {
        languages: &["ko"],
        counts: "하나,둘,셋,넷,다섯,여섯,일곱,여덟,아홉,열",
        orders: "첫번째 첫_번째 첫째,두번째 두_번째 둘째,세번째 세_번째 셋째,네번째 네_번째 넷째,다섯번째 다섯_번째 다섯째",
        last: "마지막,마지막거,마지막_거,마지막이요",
    },
    Words {
        languages: &["ca"],
        counts: "un una u,dos dues,tres,quatre,cinc,sis,set,vuit,nou,deu",
        orders: "primer primera,segon segona,tercer tercera,quart quarta,cinquè cinquena",
        last: "últim,última,darrer,darrera",
    },
];
