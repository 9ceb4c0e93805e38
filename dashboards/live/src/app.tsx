import { page } from "./router";
import { session } from "./state/store";
import { AlertPage } from "./ui/alert_page";
import { AlertList } from "./ui/alerts";
import { Board } from "./ui/board";
import { Fleet } from "./ui/fleet";
import { Footer, LinkBar, SoundBanner, TopBar } from "./ui/frame";
import { Login, NewPassword } from "./ui/login";
import { Notices } from "./ui/notices";
import { Roster } from "./ui/roster";
import { UnitView } from "./ui/unit";
import { Ward } from "./ui/ward";
import { t } from "./text/text";

function Page() {
  const shown = page.value;
  switch (shown.at) {
    case "board":
      return <Board />;
    case "ward":
      return <Ward />;
    case "fleet":
      return <Fleet />;
    case "alerts":
      return <AlertList />;
    case "alert":
      return <AlertPage id={shown.alert} key={shown.alert} />;
    case "roster":
      return <Roster />;
    case "unit":
      return <UnitView id={shown.unit} />;
  }
}

export function App() {
  if (session.value === undefined) return <p class="asking quiet">{t("link.connecting")}</p>;
  if (session.value === null) return <Login />;
  if (session.value.password_change_required) return <NewPassword />;
  return (
    <div class="frame">
      <TopBar />
      <LinkBar />
      <SoundBanner />
      <Page />
      <Notices />
      <Footer />
    </div>
  );
}
